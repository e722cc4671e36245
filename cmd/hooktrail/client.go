package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// apiFlags say which server a client command talks to, and as whom.
type apiFlags struct {
	URL     string `name:"url" env:"HOOKTRAIL_URL" default:"http://127.0.0.1:8080" help:"The server's address."`
	Key     string `name:"key" env:"HOOKTRAIL_API_KEY" help:"API key; without it, the operator key in the data directory."`
	DataDir string `name:"data-dir" env:"HOOKTRAIL_DATA_DIR" type:"path" help:"Data directory of a server on this machine."`
}

// apiClient calls a server. Its zero value is not usable; see apiFlags.client.
type apiClient struct {
	base, key string
	http      *http.Client
}

// client reads the operator key from the data directory when no key is given.
func (f apiFlags) client() (*apiClient, error) {
	key := f.Key
	if key == "" {
		dir, err := dataDir(f.DataDir)
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(filepath.Join(dir, operatorKeyFile))
		if err != nil {
			return nil, usagef(
				"no API key: set HOOKTRAIL_API_KEY, or HOOKTRAIL_DATA_DIR to the server's data directory (%v)",
				err,
			)
		}
		key = strings.TrimSpace(string(b))
	}
	return newClient(f.URL, key), nil
}

func newClient(base, key string) *apiClient {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
	return &apiClient{base: strings.TrimSuffix(base, "/"), key: key, http: &http.Client{Transport: transport}}
}

// call sends a JSON body (nil for none) and decodes the answer into out (nil to drop it). A problem document becomes
// the error.
func (c *apiClient) call(ctx context.Context, method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		payload = bytes.NewReader(b)
	}
	resp, err := c.send(ctx, method, path, payload)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return problemOf(resp)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: decode the answer: %w", method, path, err)
	}
	return nil
}

func (c *apiClient) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (is the server running?)", err)
	}
	return resp, nil
}

// problemOf turns an RFC 9457 answer into an error.
func problemOf(resp *http.Response) error {
	var problem struct {
		Code, Title, Detail string
		Errors              []struct{ Location, Message string }
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(b, &problem) != nil {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	text := fmt.Sprintf("the server answered %s (%s): %s", resp.Status, problem.Code, problem.Detail)
	for _, e := range problem.Errors {
		text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	return fmt.Errorf("%s", text)
}
