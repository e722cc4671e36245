package openapi

// The document is written from the operations, and the client from the document.
//go:generate go run ../cmd/hooktrail openapi --output openapi.yaml
//go:generate go tool -modfile=../.ci/tools.mod oapi-codegen -config client.yaml openapi.yaml
