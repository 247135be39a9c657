"""The engine: gather, audit, plan, apply, prove. One verb, one file."""
