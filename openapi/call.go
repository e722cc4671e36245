package openapi

import (
	"errors"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// call is what an operation gets beside its input: the request that was let in, and the ports of the server. It belongs
// to one goroutine.
type call struct {
	*rest.Request
	*Server
	validator domain.Validator // the request's, once it has validated anything
}

func isNotFound(err error) bool { return errors.Is(err, domain.ErrNotFound) }
