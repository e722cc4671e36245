package openapi_test

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/hooktrail/hooktrail/openapi"
)

// TestDocument_Drift holds the checked-in contract to the operations that are registered.
func TestDocument_Drift(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^  version: (\S+)$`).FindSubmatch(want)
	if version == nil {
		t.Fatal("openapi.yaml names no version")
	}
	doc, err := openapi.NewDocument(string(version[1]), webhooks(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := doc.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.yaml isn't what the operations say: run go generate ./openapi")
	}
}
