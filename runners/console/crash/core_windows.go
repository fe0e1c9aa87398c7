package crash

func noCore() {} // Windows decides elsewhere what a crash leaves
