module github.com/linuxfoundation/lfx-v2-auth-service/clients/go

go 1.21
