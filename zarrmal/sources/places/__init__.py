"""What is particular to the places where sources lie: containers, slow servers, special files."""
