"""What the API can do: one module per capability, one line here per operation."""

from doubao_core.api import chat as chats
from doubao_core.api import embeddings, files, images, models, moderation, tokens, videos


class Operations:
    """The operations, as methods of both clients; each is documented where it is declared."""

    chat = chats.chat
    stream_chat = chats.stream_chat
    embed = embeddings.embed
    embed_multimodal = embeddings.embed_multimodal
    moderate = moderation.moderate
    create_images = images.create_images
    get_images = images.get_images
    stream_images = images.stream_images
    create_video = videos.create_video
    get_video = videos.get_video
    list_videos = videos.list_videos
    delete_video = videos.delete_video
    watch_video = videos.watch_video
    tokenize = tokens.tokenize
    list_models = models.list_models
    upload_file = files.upload_file
    get_file = files.get_file
    list_files = files.list_files
    delete_file = files.delete_file
