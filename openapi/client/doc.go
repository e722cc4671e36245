// Package client is a Go client for the HTTP surface, generated from its document. Each operation has a method; those that
// end in WithBody take any body as it is, so that an event's data goes out byte for byte.
package client
