package openapi

import (
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the page load nothing but its own three files and the document.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// docsType is the media type of a file; systems know Markdown's by different names, or not at all.
func docsType(name string) string {
	if path.Ext(name) == ".md" {
		return "text/markdown; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// serveDocs serves the page that shows the document.
func serveDocs(mux *http.ServeMux) error {
	files, err := fs.Glob(docsFiles, "docs/*")
	if err != nil {
		return fmt.Errorf("list the files of /docs: %w", err)
	}
	for _, name := range files {
		content, err := docsFiles.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		at := "/" + name
		if path.Base(name) == "index.html" {
			at = "/docs"
		}
		mux.HandleFunc("GET "+at, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", docsType(name))
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Referrer-Policy", "no-referrer")
			_, _ = w.Write(content) // the client is gone: nothing is left to do
		})
	}
	return nil
}
