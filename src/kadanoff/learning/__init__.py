"""Learning of actions: free energies of what is learnt."""
