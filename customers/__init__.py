"""The profiling core: behaviour data in, profiles and recommendations out. Knows no LLM and no UI."""
