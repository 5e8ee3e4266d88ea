"""Reading numbers: pictures with several digits, in one line or in several.

`text_lines` finds the lines that are written on a page, `line_model` has the network that reads one
at once, `ctc` finds the likeliest texts in what it says, and `looks` asks it more than once.
`numbers` does all of it in one call.
"""
