package filter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/adapters/filter"
	"github.com/hooktrail/hooktrail/domain"
)

// A subscription's filter is compiled once and asked about each event that its types choose.
func ExampleFilters_Compile() {
	filters, err := filter.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	largeOrders, err := filters.Compile(`data.amount * 1.19 > 100 && data.?customer.?country.orValue("") in ["DE", "AT"]`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, data := range []string{
		`{"amount": 90, "customer": {"country": "DE"}}`, `{"amount": 90}`, `{"amount": "90", "customer": {"country": "DE"}}`,
	} {
		event := &domain.EventAppended{Data: []byte(data)}
		matches, err := largeOrders(context.Background(), &domain.FilterRun{Event: event, Now: time.Now()})
		fmt.Println(matches, err)
	}
	// Output:
	// true <nil>
	// false <nil>
	// false line 1, column 13: no such overload
}

// An expression that can't be a filter is refused when the subscription is made, with the place and what to write.
func ExampleFilters_Check() {
	filters, err := filter.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filters.Check(`data.active`))
	fmt.Println(filters.Check(`size(data.items) == 2.0`))
	// Output:
	// filter: line 1, column 1: gives whatever the data has there, but must give a bool: compare it, such as data.active == true
	// filter: line 1, column 18: found no matching overload for '_==_' applied to '(int, double)'; write both as integers (2) or both with a fraction (2.0), or convert one with int(…) or double(…)
}
