print("shelfcast-hub")
