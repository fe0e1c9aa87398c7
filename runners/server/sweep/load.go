package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	seconds := f.Busy.Seconds()
	line := fmt.Sprintf("%s: %d requests in %s, %d of them failed", v, f.Requests, f.Busy.Round(100*time.Millisecond), f.Failed)
	if seconds > 0 {
		line += fmt.Sprintf("; %.3g requests/s, %.4g tokens/s of prompts and %.4g of answers, %d at the same time",
			float64(f.Requests)/seconds, float64(f.PromptTokens)/seconds, float64(f.NewTokens)/seconds, r.Server.Concurrency)
	}
	if f.Peak.CacheUse != nil {
		line += fmt.Sprintf("; cache up to %.0f %% full", 100**f.Peak.CacheUse)
	}
	r.watch.Say("%s", line)
	text, err := json.Marshal(struct {
		Variant      string   `json:"variant"`
		Concurrency  int      `json:"concurrency"`
		Requests     int      `json:"requests"`
		Failed       int      `json:"failed"`
		PromptTokens int64    `json:"prompt_tokens"`
		NewTokens    int64    `json:"new_tokens"`
		BusySeconds  float64  `json:"busy_seconds"`
		CacheUse     *float64 `json:"peak_cache_use"`
		Running      *float64 `json:"peak_running"`
		Waiting      *float64 `json:"peak_waiting"`
	}{v.String(), r.Server.Concurrency, f.Requests, f.Failed, f.PromptTokens, f.NewTokens, seconds, f.Peak.CacheUse, f.Peak.Running, f.Peak.Waiting})
	if err != nil {
		return err
	}
	path := filepath.Join(r.journal.Dir(), "load.jsonl")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return results.Explain(path, err)
	}
	if _, err = file.Write(append(text, '\n')); err != nil {
		err = results.Explain(path, err)
	}
	return errors.Join(err, file.Close())
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
