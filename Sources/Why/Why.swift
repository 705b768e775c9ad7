// Why
