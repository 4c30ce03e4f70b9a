// Holds dashboards against Grafana's own schema: every field is one that Grafana knows, of the type that it wants, and none that it needs is
// missing; in the dashboard itself, in the options of its panels and in their queries.
//
//	go run . FILE…
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	// Only the kinds that are in use, since each is a package to compile.
	known := cog.NewRuntime()
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	faulty := false
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			faulty = true
		}
	}
	if faulty {
		os.Exit(1)
	}
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// Read twice: what is read strictly gives every objection, and an empty dashboard where there is none.
	var strict, read dashboard.Dashboard
	if err := found(strict.UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	for _, entry := range read.Panels {
		if err := isKnown(entry); err != nil {
			return err
		}
	}
	if err := nothingIsLost(text, read); err != nil {
		return err
	}
	return found(read.Validate())
}

// found is none for a list of faults without a fault in it, which the SDK gives for what is right.
func found(err error) error {
	var faults cog.BuildErrors
	if errors.As(err, &faults) && len(faults) == 0 {
		return nil
	}
	return err
}

// nothingIsLost fails for what was read without an objection and forgotten: the SDK is not strict everywhere.
func nothingIsLost(text []byte, read dashboard.Dashboard) error {
	written, err := json.Marshal(read)
	if err != nil {
		return err
	}
	var before, after any
	if err := errors.Join(json.Unmarshal(text, &before), json.Unmarshal(written, &after)); err != nil {
		return err
	}
	return lost("", before, after)
}

func lost(path string, before, after any) error {
	switch before := before.(type) {
	case map[string]any:
		after, _ := after.(map[string]any)
		var faults []error
		for key, value := range before {
			// An empty list is written as nothing.
			list, isList := value.([]any)
			if _, kept := after[key]; !kept && !(isList && len(list) == 0) {
				faults = append(faults, fmt.Errorf("%s.%s: Grafana knows no such field", path, key))
				continue
			}
			faults = append(faults, lost(path+"."+key, value, after[key]))
		}
		return errors.Join(faults...)
	case []any:
		after, _ := after.([]any)
		if len(after) != len(before) {
			return fmt.Errorf("%s: %d of %d entries are kept", path, len(after), len(before))
		}
		var faults []error
		for at := range before {
			faults = append(faults, lost(fmt.Sprintf("%s[%d]", path, at), before[at], after[at]))
		}
		return errors.Join(faults...)
	default:
		if before != after {
			return fmt.Errorf("%s: %v is read as %v", path, before, after)
		}
		return nil
	}
}

// isKnown fails for what would be taken as it is, because nobody has registered its kind above.
func isKnown(entry dashboard.PanelOrRowPanel) error {
	if entry.Panel == nil {
		return nil
	}
	if _, known := cog.ConfigForPanelcfgVariant(entry.Panel.Type); !known {
		return fmt.Errorf("panels of type %s are not registered in main.go", entry.Panel.Type)
	}
	for _, target := range entry.Panel.Targets {
		if target.DataqueryType() != "prometheus" {
			return fmt.Errorf("queries of type %s are not registered in main.go", target.DataqueryType())
		}
	}
	return nil
}
