"""The datasets and the renderers in the shape that training frameworks expect; each needs its optional package."""
