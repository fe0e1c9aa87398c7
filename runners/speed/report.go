package speed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
)

// Report is what speed.json holds.
type Report struct {
	Command string    `json:"command"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	CPU     string    `json:"cpu"`
	About   string    `json:"device"`
	Block   int       `json:"block_tokens"`             // tokens that a prefill takes at a time
	Context int       `json:"context_tokens,omitempty"` // that the model was made for; 0: not known
	Roofs   Roofs     `json:"roofs"`
	Rows    []Row     `json:"rows"`
	Longest []Longest `json:"longest_by_plan,omitempty"`
}

// Begin makes an engine ready for the plan, and returns the report of its measurement,
// without rows. Command and version say what measures. An error says what the engine's
// model cannot run.
func (p Plan) Begin(e *local.Engine, command, version string) (*Report, error) {
	m, about := e.Model(), e.Describe()
	if p.Block > 0 {
		m.SetBlock(p.Block)
	}
	return &Report{Command: command, Version: version, Started: time.Now().UTC(), CPU: runners.Processor(),
		About: about.Device + ": " + about.About, Block: m.Block(), Context: m.Context}, p.Check(m)
}

// Longest is the longest prompt of a variant that fits by the plan of memory.
type Longest struct {
	Batch   int    `json:"batch"`
	Variant string `json:"variant"`
	Length  int    `json:"length"` // 0: not even the shortest fits
}

// reportFile is the report's name in its folder.
const reportFile = "speed.json"

// Read reads the report in a folder.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, reportFile)
	data, err := inputs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Report
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(s.Rows) == 0 {
		return nil, fmt.Errorf("%s: it has no rows", path)
	}
	return &s, nil
}

// SaveRows writes speed.json alone. It is called after every cell, so that what was
// measured outlasts whatever ends the run, also while it is written.
func (s *Report) SaveRows(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return results.WriteBytes(filepath.Join(dir, reportFile), append(data, '\n'))
}

// Save writes speed.json, bench.txt and the pictures, whose names it returns.
func (s *Report) Save(dir string) (pictures []string, err error) {
	if err := s.SaveRows(dir); err != nil {
		return nil, err
	}
	var bench bytes.Buffer
	if err := s.Benchmark(&bench); err != nil {
		return nil, err
	}
	if err := results.WriteBytes(filepath.Join(dir, "bench.txt"), bench.Bytes()); err != nil {
		return nil, err
	}
	return plots.Write(dir, s.figures())
}
