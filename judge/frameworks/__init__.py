"""The judge as a part of other people's frameworks, one framework a file, each imported when it is used."""
