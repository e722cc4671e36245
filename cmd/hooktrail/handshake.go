package main

import (
	"context"
	"math"
	"os"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// webhookOrigin is the name by which receivers know this instance: the one configured, else the machine's if it can be one.
func webhookOrigin(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil || webhook.CheckOrigin(host) != nil {
		return ""
	}
	return host
}

// originFor is what goes along with the requests of an endpoint that let it in.
func (c *courier) originFor(e domain.Endpoint) string {
	if e.Handshake != domain.HandshakeCloudEvents || e.Unverified {
		return ""
	}
	return c.origin
}

// Handshake sends a handshake's one request, with the endpoint's credentials, and says how it ended.
func (c *courier) Handshake(ctx context.Context, order domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
	start := order.Start
	opening, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	e := order.Endpoint
	e.URL, e.Query = start.URL, start.Query
	target, err := c.newTarget(opening, e, start.Keys)
	if err != nil {
		return c.unasked(start, err)
	}
	question := webhook.Handshake{
		Kind: webhook.HandshakeKind(start.Kind), ID: start.ID, Origin: c.origin, RatePerMinute: ratePerMinute(e.RateLimit),
	}
	if start.Kind == domain.HandshakeOwnership {
		question.Challenge = webhook.NewChallenge()
	}
	request, err := target.BuildHandshake(question, start.At)
	if err != nil {
		return c.unasked(start, err)
	}
	result := c.sender.Send(ctx, request, time.Duration(start.TimeoutMS)*time.Millisecond)
	return handshakeResult(question.Check(&result), recorded(target, request, &result)), result.Body
}

// handshakeResult is what the log keeps of a handshake: what it would of an attempt, and the verdict.
func handshakeResult(verdict webhook.HandshakeVerdict, kept domain.AttemptResult) domain.HandshakeResult {
	result := domain.HandshakeResult{
		Passed: verdict.Passed, AllowedPerMinute: verdict.AllowedRate, StatusCode: kept.StatusCode, Error: kept.Error, Detail: verdict.Reason,
		DurationUS: kept.DurationUS, FinishedAt: kept.FinishedAt, Request: kept.Request, Response: kept.Response,
		Keys: kept.Keys, RequestBytes: kept.RequestBytes, AnswerBytes: kept.AnswerBytes,
		RemoteAddr: kept.RemoteAddr, TLS: kept.TLS, Timings: kept.Timings,
	}
	if !result.Passed && result.Error == "" {
		result.Error = "not_passed"
	}
	return result
}

// unasked is the result when no request could be made.
func (c *courier) unasked(start domain.HandshakeStart, err error) (domain.HandshakeResult, []byte) {
	detail := err.Error()
	if start.Kind == domain.HandshakeCloudEvents && c.origin == "" {
		detail += " (the operator sets it with HOOKTRAIL_WEBHOOK_ORIGIN)"
	}
	return domain.HandshakeResult{Error: "not_sendable", Detail: detail, FinishedAt: now()}, nil
}

// ratePerMinute is what an endpoint with a rate limit would like to be allowed; 0: it doesn't ask.
func ratePerMinute(limit *domain.RateLimit) int {
	if limit == nil {
		return 0
	}
	return max(1, int(math.Floor(limit.PerSecond*60)))
}
