package openapi_test

import (
	"encoding/json"
	"fmt"

	"github.com/hooktrail/hooktrail/openapi"
)

// The document needs no server: a client can be generated from it wherever the program is.
func ExampleNewDocument() {
	document, err := openapi.NewDocument("1.2.3", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := document.JSON()
	if err != nil {
		fmt.Println(err)
		return
	}
	var read struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string   `json:"operationId"`
			Roles       []string `json:"x-roles"`
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		fmt.Println(err)
		return
	}
	appended := read.Paths["/v1/tenants/{tenant}/events"]["post"]
	fmt.Println(read.OpenAPI, read.Info.Title, read.Info.Version)
	fmt.Println(appended.OperationID, appended.Roles)
	// Output:
	// 3.1.0 Hooktrail 1.2.3
	// append-event [operator producer]
}
