package courier

import (
	"context"
	"math"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// Handshake sends a handshake's one request, with the endpoint's credentials, within the start's timeout. It returns
// how that ended and what is kept of the answer's body.
func (c *Courier) Handshake(ctx context.Context, order domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
	e, start := order.Endpoint, order.Start
	e.URL, e.Query = start.URL, start.Query // which may be those that the endpoint is to change to
	question := webhook.Handshake{Kind: start.Kind, ID: start.ID, Origin: c.config.Origin}
	if e.RateLimit != nil {
		question.RatePerMinute = max(1, int(math.Floor(e.RateLimit.PerSecond*60)))
	}
	if start.Kind == domain.HandshakeOwnership {
		question.Challenge = webhook.NewChallenge()
	}
	target, err := c.newTarget(ctx, e, start.Keys)
	if err != nil {
		return c.unasked(start, err), nil
	}
	request, err := target.BuildHandshake(question, start.At)
	if err != nil {
		return c.unasked(start, err), nil
	}
	result := c.config.Sender.Send(ctx, request, time.Duration(start.TimeoutMS)*time.Millisecond)

	// The log keeps what it would of an attempt, and the verdict.
	verdict, kept := question.Check(&result), recorded(request, &result)
	ended := domain.HandshakeResult{
		Passed: verdict.Passed, AllowedPerMinute: verdict.AllowedRate, StatusCode: kept.StatusCode, Error: kept.Error,
		Detail: verdict.Reason, DurationUS: kept.DurationUS, FinishedAt: kept.FinishedAt, Request: kept.Request,
		Response: kept.Response, RequestBytes: kept.RequestBytes, AnswerBytes: kept.AnswerBytes,
		RemoteAddr: kept.RemoteAddr, TLS: kept.TLS, Timings: kept.Timings,
	}
	if !ended.Passed && ended.Error == "" {
		ended.Error = "not_passed"
	}
	return ended, result.Body
}

// unasked is the result when no request could be made.
func (c *Courier) unasked(start domain.HandshakeStart, err error) domain.HandshakeResult {
	detail := err.Error()
	if start.Kind == domain.HandshakeCloudEvents && c.config.Origin == "" {
		detail += " (the operator sets it with HOOKTRAIL_WEBHOOK_ORIGIN)"
	}
	return domain.HandshakeResult{Error: codeNotSendable, Detail: detail, FinishedAt: now()}
}
