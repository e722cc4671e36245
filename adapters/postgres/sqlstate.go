package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5/pgconn"
)

// LockNotAvailable is the SQLSTATE of a lock_timeout.
const LockNotAvailable = "55P03"

// SQLState is the SQLSTATE of an error, empty if the server sent none.
func SQLState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// Refused reports whether the database refused values: class 22 (data exception) or 23 (integrity constraint
// violation).
func Refused(err error) bool {
	state := SQLState(err)
	return strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23")
}

// Answered reports whether the server answered a statement with an error and kept the session: the transaction is then
// known to have failed. After anything else (no answer, or FATAL) a COMMIT may or may not have happened.
func Answered(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR"
}

// DomainError says in the domain's words what a failed statement means. The server's text is kept only as far as it
// holds no values: neither detail nor message.
func DomainError(doing string, err error) error {
	var server *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &server) && Refused(err):
		return fmt.Errorf("%s: SQLSTATE %s (constraint %q of table %q): %w", doing, server.Code, server.ConstraintName, server.TableName, domain.ErrRefused)
	case errors.As(err, &server):
		return fmt.Errorf("%s: SQLSTATE %s: %w", doing, server.Code, domain.ErrUnavailable)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: %w", doing, domain.ErrUnavailable, err)
	case errors.Is(err, domain.ErrUnavailable), errors.Is(err, domain.ErrKeyDestroyed), errors.Is(err, domain.ErrUnknownTenant):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, domain.ErrUnavailable, err)
}
