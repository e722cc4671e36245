package domain

// What an endpoint's secrets are kept for. A secret opens under its own purpose only, so that none can be used as
// another.
const (
	PurposeSigningKey = "endpoint.signing_key"
	PurposeAuth       = "endpoint.auth"
	PurposeHeader     = "endpoint.header"
	PurposeQuery      = "endpoint.query" // of its URL
)
