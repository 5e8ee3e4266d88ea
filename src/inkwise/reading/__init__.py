"""Reading numbers: pictures with several digits, in one line or in several.

`lines` finds the lines that are written on a page, `cuts` the places where a line may be cut into
digits, `segments` what lies between two cuts, and `lattice` the likeliest ways through all of them.
`numbers` does all of it in one call.
"""
