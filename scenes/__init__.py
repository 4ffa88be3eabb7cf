"""What a photo of feet on a sheet of paper is: labels, sheet, camera, images, dataset, renderer."""
