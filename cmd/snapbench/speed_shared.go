package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/speed"
)

// sharedRow is a line of speed --shared: medians, in seconds.
type sharedRow struct {
	Length   int      `json:"length"`
	Variants int      `json:"variants"`
	Prefill  float64  `json:"prefill_seconds"`
	Decode   float64  `json:"decode_seconds"`
	Total    float64  `json:"total_seconds"`
	Peak     int64    `json:"peak_bytes"`
	Host     []string `json:"host,omitempty"` // variants that choose in plain Go over copies
}

// measureShared times the grid as one run, and its first variant alone, in turn.
func measureShared(cmd *cobra.Command, m *models.Model, lengths []int, variants []compress.Variant, maxNew, repeat int, seed uint64, asJSON bool) error {
	var rows []sharedRow
	w := cmd.OutOrStdout()
	if !asJSON {
		fmt.Fprintf(w, "%s: %s\n%7s %8s %10s %10s %10s %9s\n", m.Device().Name(), m.Device().Describe(), "length", "variants", "prefill s", "decode s", "total s", "peak GiB")
	}
	for _, n := range lengths {
		groups := [][]compress.Variant{variants[:1], variants}
		times := make([][3][]time.Duration, len(groups))
		peaks, host := make([]int64, len(groups)), make([][]string, len(groups))
		for i := range repeat + 1 {
			for g, list := range groups {
				s, err := speed.MeasureShared(cmd.Context(), m, n, maxNew, list, seed+uint64(i))
				if err != nil {
					return err
				}
				if i > 0 {
					times[g][0] = append(times[g][0], s.Prefill)
					times[g][1] = append(times[g][1], s.Decode)
					times[g][2] = append(times[g][2], s.Prefill+s.Decode)
					peaks[g], host[g] = s.Peak, s.Host
				}
			}
		}
		for g, list := range groups {
			r := sharedRow{n, len(list), speed.Quantile(times[g][0], 0.5).Seconds(), speed.Quantile(times[g][1], 0.5).Seconds(), speed.Quantile(times[g][2], 0.5).Seconds(), peaks[g], host[g]}
			rows = append(rows, r)
			if !asJSON {
				fmt.Fprintf(w, "%7d %8d %10.3f %10.3f %10.3f %9.2f\n", r.Length, r.Variants, r.Prefill, r.Decode, r.Total, speed.GiB(r.Peak))
			}
		}
		if last := rows[len(rows)-2:]; !asJSON {
			fmt.Fprintf(w, "%d variants take %.2f × the time of %s alone\n", len(variants), last[1].Total/last[0].Total, variants[0])
			for _, v := range last[1].Host {
				fmt.Fprintf(w, "%s chooses on the host, over copies\n", v)
			}
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(rows)
	}
	return nil
}
