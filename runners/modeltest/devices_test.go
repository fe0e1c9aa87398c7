package modeltest

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

func TestGoldensOnRef(t *testing.T)  { Goldens(t, ref.New(), 1e-4, 1e-6) }
func TestGoldensOnCPU(t *testing.T)  { Goldens(t, CPU(t), 1e-4, 1e-6) }
func TestGoldensOnCUDA(t *testing.T) { Goldens(t, CUDA(t, engine.Float32), 1e-3, 1e-5) }

func TestMeasuresOnRef(t *testing.T)  { Measures(t, ref.New(), 1e-5) }
func TestMeasuresOnCPU(t *testing.T)  { Measures(t, CPU(t), 1e-5) }
func TestMeasuresOnCUDA(t *testing.T) { Measures(t, CUDA(t, engine.Float32), 1e-4) }

func TestCacheFormatsOnRef(t *testing.T)  { CacheFormats(t, ref.New()) }
func TestCacheFormatsOnCPU(t *testing.T)  { CacheFormats(t, CPU(t)) }
func TestCacheFormatsOnCUDA(t *testing.T) { CacheFormats(t, CUDA(t, engine.Float32)) }

func TestAttentionOnRef(t *testing.T)  { Attention(t, ref.New(), 1e-6) }
func TestAttentionOnCPU(t *testing.T)  { Attention(t, CPU(t), 1e-6) }
func TestAttentionOnCUDA(t *testing.T) { Attention(t, CUDA(t, engine.Float32), 1e-5) }

func TestRealModelOnCPU(t *testing.T)  { Real(t, CPU(t)) }
func TestRealModelOnCUDA(t *testing.T) { Real(t, CUDA(t, engine.Float32)) }

func TestRealHybridOnCPU(t *testing.T)  { RealHybrid(t, CPU(t)) }
func TestRealHybridOnCUDA(t *testing.T) { RealHybrid(t, CUDA(t, engine.Float32)) }
