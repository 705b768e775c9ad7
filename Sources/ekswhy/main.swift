print("ekswhy")
