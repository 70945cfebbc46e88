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
{{- $setting.value | default (index . 2) -}}
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
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default .Chart.Name -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* A scalar as the text that the service reads; a whole number never in the form 1e+06. */}}
{{- define "auth-service.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . | toString | trim -}}
{{- end -}}
{{- end -}}

{{- define "auth-service.port" -}}
{{- $setting := (.Values.app.environment).PORT | default dict -}}
{{- if and (empty $setting.value) $setting.valueFrom -}}
{{- fail "app.environment.PORT: must be a plain value, because the container's port follows it" -}}
{{- end -}}
{{- $setting.value | default .Values.service.port | int64 -}}
{{- end -}}
