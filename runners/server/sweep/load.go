package sweep

import (
	"fmt"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/server"
)

// tell says how a server bore what it was asked, and keeps it beside the results.
func (r *round) tell(v runners.Variant, f server.Figures) error {
	if f.Requests == 0 {
		return nil
	}
	l := results.Load{
		Variant: v.String(), Concurrency: max(1, r.Server.Concurrency), Requests: int64(f.Requests), Failed: int64(f.Failed),
		PromptTokens: f.PromptTokens, NewTokens: f.NewTokens, BusySeconds: f.Busy.Seconds(),
		CacheUse: f.Peak.CacheUse, Running: f.Peak.Running, Waiting: f.Peak.Waiting,
	}
	line := fmt.Sprintf("%s: %d requests in %s, %d of them failed", v, l.Requests, f.Busy.Round(100*time.Millisecond), l.Failed)
	if l.BusySeconds > 0 {
		line += fmt.Sprintf("; %s requests/s, %s tokens/s of prompts and %s of answers, %d at the same time",
			results.Significant(l.RequestsPerSecond(), 3), results.Significant(l.PromptTokensPerSecond(), 4), results.Significant(l.NewTokensPerSecond(), 4), l.Concurrency)
	}
	if l.CacheUse != nil {
		line += fmt.Sprintf("; cache up to %.3g %% full", 100**l.CacheUse)
	}
	r.watch.Say("%s", line)
	return results.AppendLoad(r.journal.Dir(), l)
}

// logName is a file name for a server's log.
func logName(v runners.Variant) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '=' || r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, v.String())
	return strings.Trim(name[:min(len(name), 100)], "-") + ".log"
}
