// Package rest is the kit of the HTTP surface. It knows requests, keys and roles, tenants, the log and the views, and
// no resource: what an endpoint or a subscription is, its callers know.
//
//   - gate.go lets a request in: authentication, tenant, role, body, idempotency key. What it found out is a [Request].
//   - view.go reads the views at the moment that a request asks for; walk.go pages through lists.
//   - change.go appends what an operation decides, and answers a repeated POST from the entries of the first one.
//   - problem.go turns errors into problem documents, param.go and patch.go read requests, answer.go and json.go write
//     answers, document.go describes operations.
//
// Functions take what they need as parameters. Errors are either a [*Problem], which is the answer, or become one in
// [ProblemOf].
package rest
