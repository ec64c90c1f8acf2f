"""The look of everything: colours, fonts, icons, the themes of window and canvas, and the icons of families."""
