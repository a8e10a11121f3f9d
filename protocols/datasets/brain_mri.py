"""BrainMRI: magnetic resonance images of the brain with and without a tumour (spec 10.7)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "brain_mri": DatasetInfo(
        id="brain_mri",
        title="BrainMRI",
        kind="medical",
        image_size=224,
        published=Published(73, 25, 155, 1),
        licence="see source",
        citation="Chakrabarty, Brain MRI images for brain tumor detection, Kaggle",
        source="https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
    )
}
