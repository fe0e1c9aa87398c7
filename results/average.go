package results

import (
	"math"
	"slices"
)

// AverageInterval is [MeanInterval] for an average over tasks of equal weight, of scores within 0 to 1. Samples are
// resampled within their task. For a single task it is MeanInterval.
func AverageInterval(tasks [][]float64) Interval {
	if len(tasks) == 1 {
		return MeanInterval(tasks[0])
	}
	iv := Interval{Lo: math.NaN(), Hi: math.NaN()}
	few := len(tasks) == 0
	varied := 0
	for _, x := range tasks {
		iv.N += len(x)
		iv.Mean += mean(x) / float64(len(tasks))
		few = few || len(x) < 2
		varied += len(x) - mostFrequent(x)
	}
	switch {
	case iv.N == 0:
		iv.Mean = math.NaN()
	case few || varied < 10:
		// As in Compare: the weighted scores are one sample, which is on the safe side.
		var all []float64
		top := 0.0
		for _, x := range tasks {
			w := float64(iv.N) / float64(len(tasks)*len(x))
			top = max(top, w)
			for _, v := range x {
				all = append(all, v*w)
			}
		}
		iv.Method = "Gaffke"
		iv.Lo, iv.Hi = gaffkeInterval(all, 0, top, (1-confidence)/2)
		iv.Hi = min(iv.Hi, 1)
	default:
		iv.Method = "stratified bootstrap"
		rng := generator(tasks...)
		draws := make([]float64, resamples/5)
		for b := range draws {
			for _, x := range tasks {
				sum := 0.0
				for range x {
					sum += x[rng.IntN(len(x))]
				}
				draws[b] += sum / float64(len(x)) / float64(len(tasks))
			}
		}
		slices.Sort(draws)
		iv.Lo, iv.Hi = quantile(draws, (1-confidence)/2), quantile(draws, (1+confidence)/2)
	}
	return iv
}

// PlainInterval is the interval of values without a known maximum, such as a divergence or a time: BCa if there are
// enough samples, else none.
func PlainInterval(x []float64) Interval {
	iv := Interval{Mean: mean(x), Lo: math.NaN(), Hi: math.NaN(), N: len(x)}
	switch {
	case len(x) >= 10 && len(x)-mostFrequent(x) >= 5:
		iv.Method = "BCa bootstrap"
		iv.Lo, iv.Hi = bca(x, (1-confidence)/2, generator(x))
	case len(x) > 0 && mostFrequent(x) == len(x) && x[0] == 0:
		iv.Lo, iv.Hi = 0, 0 // a divergence of exactly zero everywhere is no estimate
	}
	return iv
}

func plainAverage(tasks [][]float64) Interval {
	if len(tasks) == 1 {
		return PlainInterval(tasks[0])
	}
	iv := Interval{Lo: math.NaN(), Hi: math.NaN()}
	for _, x := range tasks {
		iv.N += len(x)
		iv.Mean += mean(x) / float64(len(tasks))
	}
	return iv
}
