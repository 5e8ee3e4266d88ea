"""Why a model says what it says: attributions, nearest training images, a map of the images."""
