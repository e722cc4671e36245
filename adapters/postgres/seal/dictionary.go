package seal

// contentDictionary holds what the sections of the most frequent facts have in common, what comes last in a section
// last: S2 finds these texts there instead of storing them with every entry (content.go says when it serves). It is a
// format for ever: a changed text is another dictionary, with a form of its own, and this one stays for as long as
// there are logs. The one profile digest is that of standard-webhooks, the default.
const contentDictionary = "\x08identity" + `{"id":"01a20","source":"/tenants/default","subject":"","occurred_at":"2026-01-01T00:00:00Z"}` +
	"\x08exchange" + `{"request":{"method":"POST","url":"https://","headers":[{"name":"content-type","value":"application/json"},` +
	`{"name":"user-agent","value":"Hooktrail/0.1.0"},{"name":"webhook-id","value":"01a2"},` +
	`{"name":"webhook-signature","value":"v1,"},{"name":"webhook-timestamp","value":"17"}],"body_sha256":""},` +
	`"response":{"headers":[{"name":"content-length","value":"2"},{"name":"content-type","value":"text/plain; charset=utf-8"},` +
	`{"name":"date","value":"Mon, 01 Jan 2026 00:00:00 GMT"}],"body_sha256":""}}` + "\x06answer" + "\x04data" +
	"\x06intent" + "\x07outcome" + `{"number":1,"outcome":"succeeded","status_code":200,"duration_us":1,"finished_at":"2026-01-01T00:00:00Z",` +
	`"status":"succeeded","request_bytes":1,"answer_bytes":2,"remote_addr":"127.0.0.1:","timings":{"dns":1,"connect":1,"tls":1,"first_byte":1}}` +
	"\x05class" + `{"type":"","schema_version":"v1"}` + "\x07routing" +
	`{"configuration":1,"deliveries":[{"id":"01a20","endpoint":"01a20","endpoint_version":1,"subscriptions":[{"id":"01a20","version":1}],` +
	`"first":{"number":1,"endpoint_version":1,"profile_digest":"93b13661c7044eede9b3d5cd7be9c21b09b34029cea668ab58d2d6f4b9ff5e56",` +
	`"keys":["01a20"],"at":"2026-01-01T00:00:00Z","timeout_ms":15000,"node":"01a20"}}],"complete":true}` + "\x0bsubject_key\x10"
