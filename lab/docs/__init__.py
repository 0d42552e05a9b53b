"""The generated parts of docs/*.md, made from the code that decides; a test keeps them fresh."""
