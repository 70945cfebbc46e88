{{/* SPDX-License-Identifier: MIT */}}

{{/* The provider: mock, auth0 or authelia. */}}
{{- define "auth-service.provider" -}}
{{- $setting := (.Values.app.environment).USER_REPOSITORY_TYPE | default dict -}}
{{- if and (empty $setting.value) $setting.valueFrom -}}
{{- fail "app.environment.USER_REPOSITORY_TYPE: must be a plain value, because it decides what else is rendered" -}}
{{- end -}}
{{- $setting.value | default "mock" -}}
{{- end -}}

{{/* One of the names that the Role holds: (list $ "AUTHELIA_…" "default"). */}}
{{- define "auth-service.autheliaName" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $setting := (index ($root.Values.app.environment | default dict) $name) | default dict -}}
{{- if and (empty $setting.value) $setting.valueFrom -}}
{{- fail (printf "app.environment.%s: must be a plain value, because the Role names it" $name) -}}
{{- end -}}
{{- include "auth-service.text" $setting.value | default (index . 2) -}}
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
    {{- else if has $name (list "tolerationSeconds" "maxSkew" "minDomains" "weight" "defaultMode" "mode" "endPort" "runAsUser" "runAsGroup" "fsGroup") -}}
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
{{- $setting := (.Values.app.environment).PORT | default dict -}}
{{- if and (empty $setting.value) $setting.valueFrom -}}
{{- fail "app.environment.PORT: must be a plain value, because the container's port follows it" -}}
{{- end -}}
{{- $setting.value | default .Values.service.port | int64 -}}
{{- end -}}
