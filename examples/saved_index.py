"""An index that is built once, saved, and asked later by another process, in both frameworks.

    python examples/saved_index.py build INDEX [--docs FOLDER]
    python examples/saved_index.py ask INDEX "When was the first Fresnel lens lit?"

``build`` embeds the documents and writes one index for each framework below the folder INDEX;
``ask`` reads them again and embeds only the question. Set ``ARK_API_KEY`` to use the real service;
without a key the same code talks to the emulator, on this machine only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quickstart_parts import INSTALL

try:
    from langchain_core.documents import Document as Passage
    from langchain_core.vectorstores import InMemoryVectorStore
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from llama_index.core import (
        Document,
        StorageContext,
        VectorStoreIndex,
        load_index_from_storage,
    )
    from llama_index.core.node_parser import SentenceSplitter
    from quickstart_parts import failures
    from quickstart_parts.documents import Section, read_folder
    from quickstart_parts.service import Service, choose

    from langchain_doubao import DoubaoEmbeddings
    from llamaindex_doubao import DoubaoEmbedding
except ImportError as missing:
    sys.exit(f"saved_index: {missing}; {INSTALL}")

DOCS = Path(__file__).with_name("docs")
DIMENSIONS = 1024
# What the question is for decides its vector, so both commands must say the same.
INSTRUCTION = "Find the passage that answers the question"
LANGCHAIN_FILE = "langchain.json"
LLAMAINDEX_FOLDER = "llamaindex"


@dataclass(frozen=True, slots=True)
class Found:
    """The best passage, and the tokens that it took to find it."""

    text: str
    file: str
    tokens: int


def main() -> int:
    """Build or ask, and give the exit code."""
    arguments = _arguments()
    try:
        if arguments.command == "build":
            _build(read_folder(arguments.docs), choose(), arguments.index)
        else:
            _ask(arguments.question, choose(), arguments.index)
    except failures.EXPECTED as error:
        print(f"saved_index: {failures.sentence(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"saved_index: {error}", file=sys.stderr)
        return 1
    return 0


def _build(sections: Sequence[Section], service: Service, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in (("LangChain", build_langchain), ("LlamaIndex", build_llamaindex)):
        passages, tokens = build(sections, service, folder)
        print(f"{name}: {passages} passages embedded, {tokens} tokens, saved in {folder}")


def _ask(question: str, service: Service, folder: Path) -> None:
    if not all((folder / part).exists() for part in (LANGCHAIN_FILE, LLAMAINDEX_FOLDER)):
        raise failures.BadInput(f"no index in {str(folder)!r}: make one with: build {folder}")
    asked: dict[str, Callable[[str, Service, Path], Found]] = {
        "LangChain": ask_langchain,
        "LlamaIndex": ask_llamaindex,
    }
    for name, ask in asked.items():
        found = ask(question, service, folder)
        print(f"{name}, {found.tokens} tokens for the question; from {found.file}:")
        print(f"  {' '.join(found.text.split())}")


def langchain_embeddings(service: Service) -> DoubaoEmbeddings:
    """Make what LangChain embeds with, in both commands."""
    return DoubaoEmbeddings(
        model=service.embedding,
        provider=service.provider,
        dimensions=DIMENSIONS,
        query_instruction=INSTRUCTION,
    )


def build_langchain(sections: Sequence[Section], service: Service, folder: Path) -> tuple[int, int]:
    """Embed *sections* with LangChain and save the store; gives passages and tokens."""
    embeddings = langchain_embeddings(service)
    store = InMemoryVectorStore(embeddings)
    splitter = RecursiveCharacterTextSplitter(chunk_size=600, chunk_overlap=60)
    passages = splitter.split_documents(
        [Passage(each.text, metadata={"file": each.file}) for each in sections]
    )
    store.add_documents(passages)
    store.dump(str(folder / LANGCHAIN_FILE))
    return len(passages), embeddings.usage.total_tokens


def ask_langchain(question: str, service: Service, folder: Path) -> Found:
    """Load LangChain's store and find the best passage."""
    embeddings = langchain_embeddings(service)
    store = InMemoryVectorStore.load(str(folder / LANGCHAIN_FILE), embeddings)
    (best,) = store.similarity_search(question, k=1)
    return Found(best.page_content, best.metadata["file"], embeddings.usage.total_tokens)


def llamaindex_embedding(service: Service) -> DoubaoEmbedding:
    """Make what LlamaIndex embeds with, in both commands."""
    return DoubaoEmbedding(
        model_name=service.embedding,
        provider=service.provider,
        dimensions=DIMENSIONS,
        query_instruction=INSTRUCTION,
    )


def build_llamaindex(
    sections: Sequence[Section], service: Service, folder: Path
) -> tuple[int, int]:
    """Embed *sections* with LlamaIndex and save the index; gives passages and tokens."""
    embedding = llamaindex_embedding(service)
    documents = [Document(text=each.text, metadata={"file": each.file}) for each in sections]
    nodes = SentenceSplitter(chunk_size=256, chunk_overlap=32).get_nodes_from_documents(documents)
    index = VectorStoreIndex(nodes, embed_model=embedding)
    index.storage_context.persist(str(folder / LLAMAINDEX_FOLDER))
    return len(nodes), embedding.usage.total_tokens


def ask_llamaindex(question: str, service: Service, folder: Path) -> Found:
    """Load LlamaIndex's index and find the best passage."""
    embedding = llamaindex_embedding(service)
    storage = StorageContext.from_defaults(persist_dir=str(folder / LLAMAINDEX_FOLDER))
    index = load_index_from_storage(storage, embed_model=embedding)
    (best,) = index.as_retriever(similarity_top_k=1).retrieve(question)
    return Found(best.text, best.metadata["file"], embedding.usage.total_tokens)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="embed the documents and save both indexes")
    build.add_argument("index", type=Path, help="folder for the indexes")
    build.add_argument("--docs", type=Path, default=DOCS, help="folder with .txt, .md and .pdf")
    ask = commands.add_parser("ask", help="load both indexes and find the best passage")
    ask.add_argument("index", type=Path, help="folder with the indexes")
    ask.add_argument("question")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
