"""How everything looks: colours, fonts, icons, the themes of window and canvas, and what stands for each family."""
