"""What is shown: text for people, JSON for programs. Pure; nothing here asks or prints."""
