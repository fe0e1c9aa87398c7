//go:build amd64 && !noasm

package cpu

import "golang.org/x/sys/cpu"

// available returns the kernels this machine can run, the fastest first.
func available() []*kernels {
	var k []*kernels
	x := cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX2 && x.HasFMA {
		k = append(k, avx512Kernels)
	}
	// Every processor with AVX2 and FMA so far has F16C, which x/sys/cpu does not report.
	if x.HasAVX2 && x.HasFMA {
		k = append(k, avx2Kernels)
	}
	return append(k, goKernels)
}

var formatsAVX2 = decodedBy(decodersAVX2)

var avx2Kernels = &kernels{
	name: "avx2", tileRows: 6, panelWidth: 16,
	tile:   []tileFunc{nil, tileAVX2_1, tileAVX2_2, tileAVX2_3, tileAVX2_4, tileAVX2_5, tileAVX2_6},
	unpack: [formats]unpackFunc{formatBF16: unpackBF16AVX2, formatF16: unpackF16AVX2, formatQ8: unpackQ8AVX2, formatQ4: unpackQ4AVX2, formatP4: unpackP4AVX2, formatE8: unpackE8AVX2, formatK4: unpackK4AVX2, formatK6: unpackK6AVX2},
	row: [formats][maxRows + 1][3]rowFunc{
		formatBF16: {1: {nil, rowBF16AVX2_1x1, rowBF16AVX2_1x2}, 2: {1: rowBF16AVX2_2x1}, 3: {1: rowBF16AVX2_3x1}},
		formatF16:  {1: {nil, rowF16AVX2_1x1, rowF16AVX2_1x2}, 2: {1: rowF16AVX2_2x1}, 3: {1: rowF16AVX2_3x1}},
		formatQ8:   {1: {nil, rowQ8AVX2_1x1, rowQ8AVX2_1x2}, 2: {1: rowQ8AVX2_2x1}, 3: {1: rowQ8AVX2_3x1}},
		formatQ4:   {1: {nil, rowQ4AVX2_1x1, rowQ4AVX2_1x2}, 2: {1: rowQ4AVX2_2x1}, 3: {1: rowQ4AVX2_3x1}},
		formatP4:   {1: {nil, rowP4AVX2_1x1, rowP4AVX2_1x2}, 2: {1: rowP4AVX2_2x1}, 3: {1: rowP4AVX2_3x1}},
		formatE8:   {1: {nil, rowE8AVX2_1x1, rowE8AVX2_1x2}, 2: {1: rowE8AVX2_2x1}, 3: {1: rowE8AVX2_3x1}},
		formatK4:   {1: {nil, rowK4AVX2_1x1, rowK4AVX2_1x2}, 2: {1: rowK4AVX2_2x1}, 3: {1: rowK4AVX2_3x1}},
		formatK6:   {1: {nil, rowK6AVX2_1x1, rowK6AVX2_1x2}, 2: {1: rowK6AVX2_2x1}, 3: {1: rowK6AVX2_3x1}},
	},
	decode:  map[string]unpackFunc{"f16": unpackF16AVX2, "bf16": unpackBF16AVX2, "q8_0": decodeQ8AVX2, "q4_0": decodeQ4AVX2},
	formats: formatsAVX2,
	softmax: softmaxAVX2, scaleColumns: scaleColumnsAVX2,
	dots: dotsAVX2, dotsStream: dotsStreamAVX2, weightedSum: weightedSumAVX2, maximum: maximumAVX2, highest: highestAVX2, expSum: expSumAVX2,
	sumSquares: sumSquaresAVX2, scaleProduct: scaleProductAVX2, gates: [3]gateFunc{swigluAVX2, gegluAVX2, clampedAVX2}, rotate: rotateAVX2,
	pause: pauseAMD64,
}

var avx512Kernels = &kernels{
	name: "avx512", tileRows: 14, panelWidth: 32,
	tile:   []tileFunc{nil, tileAVX512_1, tileAVX512_2, tileAVX512_3, tileAVX512_4, tileAVX512_5, tileAVX512_6, tileAVX512_7, tileAVX512_8, tileAVX512_9, tileAVX512_10, tileAVX512_11, tileAVX512_12, tileAVX512_13, tileAVX512_14},
	unpack: [formats]unpackFunc{formatBF16: unpackBF16AVX512, formatF16: unpackF16AVX512, formatQ8: unpackQ8AVX512, formatQ4: unpackQ4AVX512, formatP4: unpackP4AVX512, formatE8: unpackE8AVX512, formatK4: unpackK4AVX512, formatK6: unpackK6AVX512},
	row: [formats][maxRows + 1][3]rowFunc{
		formatBF16: {1: {nil, rowBF16AVX512_1x1}, 2: {1: rowBF16AVX512_2x1}, 3: {1: rowBF16AVX512_3x1}},
		formatF16:  {1: {nil, rowF16AVX512_1x1}, 2: {1: rowF16AVX512_2x1}, 3: {1: rowF16AVX512_3x1}},
		formatQ8:   {1: {nil, rowQ8AVX512_1x1}, 2: {1: rowQ8AVX512_2x1}, 3: {1: rowQ8AVX512_3x1}},
		formatQ4:   {1: {nil, rowQ4AVX512_1x1}, 2: {1: rowQ4AVX512_2x1}, 3: {1: rowQ4AVX512_3x1}},
		formatP4:   {1: {nil, rowP4AVX512_1x1}, 2: {1: rowP4AVX512_2x1}, 3: {1: rowP4AVX512_3x1}},
		formatE8:   {1: {nil, rowE8AVX512_1x1}, 2: {1: rowE8AVX512_2x1}, 3: {1: rowE8AVX512_3x1}},
		formatK4:   {1: {nil, rowK4AVX512_1x1}, 2: {1: rowK4AVX512_2x1}, 3: {1: rowK4AVX512_3x1}},
		formatK6:   {1: {nil, rowK6AVX512_1x1}, 2: {1: rowK6AVX512_2x1}, 3: {1: rowK6AVX512_3x1}},
	},
	decode:  map[string]unpackFunc{"f16": unpackF16AVX512, "bf16": unpackBF16AVX512, "q8_0": decodeQ8AVX512, "q4_0": decodeQ4AVX512},
	formats: formatsAVX2,
	softmax: softmaxAVX512, scaleColumns: scaleColumnsAVX512,
	dots: dotsAVX2, dotsStream: dotsStreamAVX2, weightedSum: weightedSumAVX512, maximum: maximumAVX2, highest: highestAVX2, expSum: expSumAVX2,
	sumSquares: sumSquaresAVX2, scaleProduct: scaleProductAVX2, gates: [3]gateFunc{swigluAVX2, gegluAVX2, clampedAVX2}, rotate: rotateAVX2,
	pause: pauseAMD64,
}
