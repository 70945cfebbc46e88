{{/* SPDX-License-Identifier: MIT */}}

{{/*
The container's environment: app.environment, what other values stand for, app.extraEnv, app.otel; every name once.
Kubernetes fills in $(NAME) from what stands before, so that app.otel may name what app.extraEnv brings.
A value goes before a valueFrom; an empty one counts as none, as it does for the service. Of a name given twice, extraEnv has the last word, because it is the most particular.
*/}}
{{- define "auth-service.env" -}}
{{- $entries := list -}}
{{- $taken := dict -}}
{{- range .Values.app.extraEnv -}}
  {{- $_ := set $taken .name true -}}
{{- end -}}
{{- range $name, $setting := .Values.app.environment -}}
  {{- $setting = $setting | default dict -}}
  {{- $entry := dict -}}
  {{- if and (not (kindIs "invalid" $setting.value)) (ne (include "auth-service.text" $setting.value) "") -}}
    {{- $entry = dict "name" $name "value" (include "auth-service.text" $setting.value) -}}
  {{- else if $setting.valueFrom -}}
    {{- $entry = dict "name" $name "valueFrom" (fromJson (include "auth-service.part" $setting.valueFrom)).part -}}
  {{- end -}}
  {{- if and $entry (not (hasKey $taken $name)) -}}
    {{- $entries = append $entries $entry -}}
    {{- $_ := set $taken $name true -}}
  {{- end -}}
{{- end -}}
{{- range fromYamlArray (include "auth-service.derivedEnv" .) -}}
  {{- if not (hasKey $taken .name) -}}
    {{- $entries = append $entries . -}}
    {{- $_ := set $taken .name true -}}
  {{- end -}}
{{- end -}}
{{- $entries = concat $entries (fromJson (include "auth-service.part" (.Values.app.extraEnv | default list))).part -}}
{{- range fromYamlArray (include "auth-service.otelEnv" .) -}}
  {{- if not (hasKey $taken .name) -}}
    {{- $entries = append $entries . -}}
  {{- end -}}
{{- end -}}
{{- toYaml $entries -}}
{{- end -}}

{{/* Variables that follow from other values. */}}
{{- define "auth-service.derivedEnv" -}}
- {name: NATS_URL, value: {{ .Values.nats.url | quote }}}
- {name: PORT, value: {{ include "auth-service.port" . | quote }}}
{{- with .Values.nats.credentials }}
{{- if .existingSecret }}
- {name: NATS_CREDENTIALS, value: {{ include "auth-service.text" .key | printf "/etc/auth-service/nats-credentials/%s" | quote }}}
{{- end }}
{{- end }}
{{- with .Values.nats.tls }}
{{- if .existingSecret }}
{{- range $variable, $key := dict "NATS_TLS_CA" .ca "NATS_TLS_CERT" .cert "NATS_TLS_KEY" .key }}
{{- if $key }}
- {name: {{ $variable }}, value: {{ include "auth-service.text" $key | printf "/etc/auth-service/nats-tls/%s" | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq (include "auth-service.provider" .) "authelia" }}
{{- range $kind := list "users" "email_otp" "otp_ledger" "claims" "signing_key" }}
{{- with (index $.Values.nats (printf "authelia_%s_kv_bucket" $kind) | default dict).name }}
- {name: {{ printf "AUTHELIA_%s_KV_BUCKET" (upper $kind) }}, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.app.existingSecret }}
{{- if .name }}
{{- $secret := . }}
{{- range list
  "AUTH0_LFX_PROFILE_CLIENT_SECRET"
  "AUTH0_M2M_PRIVATE_BASE64_KEY"
  "AUTHELIA_SIGNING_KEY"
  "EMAIL_SMTP_PASSWORD"
  "NATS_NKEY_SEED"
  "NATS_PASSWORD"
  "NATS_TOKEN"
  "OTEL_EXPORTER_OTLP_HEADERS"
  "OTEL_EXPORTER_OTLP_LOGS_HEADERS"
  "OTEL_EXPORTER_OTLP_METRICS_HEADERS"
  "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
}}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ include "auth-service.text" $secret.name | quote }}
      key: {{ include "auth-service.text" (index ($secret.keys | default dict) .) | default . | quote }}
      optional: true
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "auth-service.otelEnv" -}}
{{- $otel := .Values.app.otel | default dict -}}
{{- range list
  (list "OTEL_SERVICE_NAME" "serviceName")
  (list "OTEL_SERVICE_VERSION" "serviceVersion")
  (list "OTEL_EXPORTER_OTLP_ENDPOINT" "endpoint")
  (list "OTEL_EXPORTER_OTLP_PROTOCOL" "protocol")
  (list "OTEL_EXPORTER_OTLP_INSECURE" "insecure")
  (list "OTEL_TRACES_EXPORTER" "tracesExporter")
  (list "OTEL_TRACES_SAMPLER" "tracesSampler")
  (list "OTEL_TRACES_SAMPLER_ARG" "tracesSamplerArg")
  (list "OTEL_METRICS_EXPORTER" "metricsExporter")
  (list "OTEL_LOGS_EXPORTER" "logsExporter")
  (list "OTEL_PROPAGATORS" "propagators")
}}
{{- $variable := index . 0 }}
{{- $value := index $otel (index . 1) }}
{{- if not (kindIs "invalid" $value) }}
{{- with include "auth-service.text" $value }}
- {name: {{ $variable }}, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
