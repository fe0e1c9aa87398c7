package cuda

// fillBias writes the bias (width) to each row of dst (m, width), for a product that is
// added to it.
func (d *Device) fillBias(dst uint64, suffix string, bias uint64, m, width int) {
	const threads = 256
	d.card.Args(dst, bias).Long(m * width).Int(width)
	d.card.Launch(d.card.Kernel("bias", "bias_fill_"+suffix), blocks(m*width, threads), 1, threads, 0)
}

// addBias adds sums (m, width) of type float32 and a bias, if it is not 0, to dst, rounding
// once.
func (d *Device) addBias(dst uint64, suffix string, sum, bias uint64, m, width int) {
	const threads = 256
	d.card.Args(dst, sum, bias).Long(m * width).Int(width)
	d.card.Launch(d.card.Kernel("bias", "bias_add_"+suffix), blocks(m*width, threads), 1, threads, 0)
}
