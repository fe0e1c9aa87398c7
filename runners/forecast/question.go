package forecast

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Question is a forecast in a user's words. Errors name the flags of snapbench plan.
type Question struct {
	Model, Device, RatesFile, DType string
	Price                           float64
}

// Register adds the flags.
func (q *Question) Register(s *pflag.FlagSet) {
	s.StringVar(&q.Model, "model", "shape:llama-3-8b", "model: "+local.ModelForms)
	s.StringVar(&q.Device, "device", "", "card whose recorded rates are taken: "+strings.Join(Cards(), ", "))
	s.StringVar(&q.RatesFile, "rates", "", "rates measured by snapbench speed --json, instead of recorded ones")
	s.StringVar(&q.DType, "dtype", "auto", "number format of weights and cache: auto, float32, float16, bfloat16")
	s.Float64Var(&q.Price, "price", 0, "of an hour of the card, such as 3.50")
}

// Tasks returns the tasks that a command's name, tasks or groups stand for.
func (q Question) Tasks(arguments []string) ([]string, error) {
	names := strings.Split(strings.Join(arguments, ","), ",")
	for i, name := range names {
		if name == "needle" { // the command asks one of the group
			names[i] = "niah"
		}
	}
	return datasets.Expand(names)
}

// Answer forecasts tasks under variants.
func (q Question) Answer(ctx context.Context, tasks []datasets.Task, variants []compress.Variant, say func(string, ...any)) (*Forecast, error) {
	if (q.Device == "") == (q.RatesFile == "") {
		return nil, runners.Mistake(errors.New("by which rates? --device " + strings.Join(Cards(), "|") + ", or --rates FILE, one of them"))
	}
	rates, err := Recorded(q.Device)
	if q.RatesFile != "" {
		rates, err = Measured(q.RatesFile)
	}
	if err != nil {
		return nil, runners.Mistake(err)
	}
	var opened []*models.Files
	defer func() {
		for _, f := range opened {
			_ = f.Close() // it was only read
		}
	}()
	name := ""
	find := func(model string) (f *models.Files, err error) {
		if f, name, err = local.OpenConfig(ctx, model, say); err == nil {
			opened = append(opened, f)
		}
		return f, err
	}
	files, err := find(q.Model)
	if err != nil {
		return nil, err
	}
	return Make(Asked{Name: name, Files: files, DType: q.DType, Rates: rates, Find: find, Tasks: tasks, Variants: variants, Price: q.Price})
}
