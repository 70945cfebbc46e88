{{/* SPDX-License-Identifier: MIT */}}

{{/*
The value of a variable on which other objects depend, empty if there is none: (list $ "PORT" "why it must be plain").
As in the container, an entry of app.extraEnv replaces one of app.environment. Without a reason any other value counts as none.
*/}}
{{- define "auth-service.plain" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $place := printf "app.environment.%s" $name -}}
{{- $setting := index ($root.Values.app.environment | default dict) $name | default dict -}}
{{- range $root.Values.app.extraEnv -}}
  {{- if eq .name $name -}}
    {{- $place = printf "app.extraEnv: %s" $name -}}
    {{- $setting = . -}}
  {{- end -}}
{{- end -}}
{{- $value := include "auth-service.text" $setting.value -}}
{{- if or (contains "$(" $value) (and (empty $value) $setting.valueFrom) -}}
  {{- $value = "" -}}
  {{- with index . 2 -}}
    {{- fail (printf "%s: must be a plain value, because %s" $place .) -}}
  {{- end -}}
{{- end -}}
{{- $value -}}
{{- end -}}

{{/* The provider: mock, auth0 or authelia; the service takes capitals too. */}}
{{- define "auth-service.provider" -}}
{{- include "auth-service.plain" (list . "USER_REPOSITORY_TYPE" "it decides what else is rendered") | lower | default "mock" -}}
{{- end -}}

{{/* One of the names that the Role holds: (list $ "AUTHELIA_…" "default"). */}}
{{- define "auth-service.autheliaName" -}}
{{- include "auth-service.plain" (list (index . 0) (index . 1) "the Role names it") | default (index . 2) -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "auth-service.labels" -}}
app: {{ .Chart.Name }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "auth-service.serviceAccountName" -}}
{{- $other := ternary .Chart.Name "default" (eq (include "auth-service.yes" .Values.serviceAccount.create) "true") -}}
{{- include "auth-service.text" .Values.serviceAccount.name | default $other -}}
{{- end -}}

{{/* A scalar as the text that is read; a whole number never in the form 1e+06; null is empty. */}}
{{- define "auth-service.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else if not (kindIs "invalid" .) -}}
{{- . | toString | trim -}}
{{- end -}}
{{- end -}}

{{/* `true` for true and for the text `true`, as --set-string gives it; otherwise empty, which is false to `if`. */}}
{{- define "auth-service.yes" -}}
{{- if eq (toString .) "true" -}}true{{- end -}}
{{- end -}}

{{/* A map of texts: Kubernetes takes no number and no boolean there. A text stays as it is; null is left out. */}}
{{- define "auth-service.texts" -}}
{{- $texts := dict -}}
{{- range $name, $value := . -}}
{{- if kindIs "string" $value -}}
{{- $_ := set $texts $name $value -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $texts $name (include "auth-service.text" $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/*
A part of a manifest as it was given, but for the types of what Kubernetes knows under these names: maps of texts,
texts, whole numbers and booleans. It is the member `part` of the JSON object that this gives.
*/}}
{{- define "auth-service.part" -}}
{{- $part := . -}}
{{- if kindIs "slice" . -}}
  {{- $part = list -}}
  {{- range . -}}
    {{- $part = append $part (fromJson (include "auth-service.part" .)).part -}}
  {{- end -}}
{{- else if kindIs "map" . -}}
  {{- $part = dict -}}
  {{- range $name, $value := . -}}
    {{- if kindIs "map" $value -}}
      {{- if has $name (list "matchLabels" "labels" "annotations" "volumeAttributes" "options" "nodeSelector") -}}
        {{- $value = fromYaml (include "auth-service.texts" $value) -}}
      {{- end -}}
      {{- $value = (fromJson (include "auth-service.part" $value)).part -}}
    {{- else if and (kindIs "slice" $value) (has $name (list "values" "matchLabelKeys" "mismatchLabelKeys")) -}}
      {{- $texts := list -}}
      {{- range $value -}}
        {{- $texts = append $texts (include "auth-service.text" .) -}}
      {{- end -}}
      {{- $value = $texts -}}
    {{- else if kindIs "slice" $value -}}
      {{- $value = (fromJson (include "auth-service.part" $value)).part -}}
    {{- else if kindIs "invalid" $value -}}
    {{- else if has $name (list "name" "key" "value" "operator" "effect" "topologyKey" "subPath") -}}
      {{- if not (kindIs "string" $value) -}}
        {{- $value = include "auth-service.text" $value -}}
      {{- end -}}
    {{- else if has $name (list "tolerationSeconds" "maxSkew" "minDomains" "weight" "defaultMode" "mode" "endPort" "expirationSeconds" "runAsUser" "runAsGroup" "fsGroup") -}}
      {{- $value = int64 $value -}}
    {{- else if and (eq $name "port") (regexMatch "^[0-9]+$" (toString $value)) -}}
      {{- $value = int64 $value -}}
    {{- else if has $name (list "readOnly" "optional" "runAsNonRoot" "allowPrivilegeEscalation" "readOnlyRootFilesystem" "privileged") -}}
      {{- $value = eq (toString $value) "true" -}}
    {{- end -}}
    {{- $_ := set $part $name $value -}}
  {{- end -}}
{{- end -}}
{{- toJson (dict "part" $part) -}}
{{- end -}}

{{- define "auth-service.kubernetes" -}}
{{- toYaml (fromJson (include "auth-service.part" .)).part -}}
{{- end -}}

{{- define "auth-service.port" -}}
{{- include "auth-service.plain" (list . "PORT" "the container's port follows it") | default .Values.service.port | int64 -}}
{{- end -}}
