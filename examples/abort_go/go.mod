module example.org/abort

go 1.19
