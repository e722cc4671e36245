package postgres

// dictionaryID names contentDictionary in the frames that were compressed with it. A changed text needs a new id, and the
// old text must stay for as long as there are logs.
const dictionaryID = 1

// contentDictionary holds what the contents of the most frequent facts have in common, what comes last in a content
// last: zstd finds these texts there instead of storing them with every entry (seal.go says when it serves).
const contentDictionary = `{"method":"POST","url":"https://","headers":[{"name":"User-Agent","value":"Hooktrail/"},` +
	`{"name":"Content-Type","value":"application/json"},{"name":"Content-Length","value":"1024"},` +
	`{"name":"Webhook-Id","value":"01"},{"name":"Webhook-Timestamp","value":"17"},` +
	`{"name":"Webhook-Signature","value":"v1,"}],"body_sha256":"","body_bytes":10},` +
	`"response":{"headers":[{"name":"Content-Length","value":"2"},{"name":"Content-Type","value":"text/plain; charset=utf-8"},` +
	`{"name":"Date","value":"Mon, 01 Jan 2026 00:00:00 GMT"}],"body_sha256":"","body_bytes":2},` +
	`"remote_addr":"127.0.0.1:","timings":{"dns":1,"connect":1,"tls":1,"first_byte":1}}` + "\x04body" +
	"\x0aattributes" + `{"id":"","source":"/tenants/default","type":"","subject":"","occurred_at":"2026-01-01T00:00:00Z","schema_version":"v1"}` +
	"\x04data" + "\x07routing" +
	`{"deliveries":[{"id":"01a20","endpoint":"01a20","endpoint_version":1,"subscriptions":[{"id":"01a20","version":1}]}],"complete":true}` +
	"\x07attempt" + `{"number":1,"endpoint_version":1,"profile_digest":"","keys":["01a20"],"at":"2026-01-01T00:00:00Z",` +
	`"timeout_ms":15000,"node":"01a20"}` + "\x06result" +
	`{"number":1,"outcome":"succeeded","status_code":200,"duration_us":1,"finished_at":"2026-01-01T00:00:00Z","status":"succeeded","request":`
