module rrq

go 1.25
