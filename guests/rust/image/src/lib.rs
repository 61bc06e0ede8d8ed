//! Crops, turns, greys and blurs pictures.

use std::io::Cursor;

use homestar::image::types::Bounds;
use image::{DynamicImage, ImageFormat};

wit_bindgen::generate!();

struct Image;

impl Guest for Image {
    fn crop(image: Vec<u8>, x: u32, y: u32, width: u32, height: u32) -> Result<Vec<u8>, Error> {
        let picture = decode(&image)?;
        let bounds = Bounds {
            x,
            y,
            width,
            height,
            image_width: picture.width(),
            image_height: picture.height(),
        };
        if !is_within(&bounds) {
            return Err(Error::Bounds(bounds));
        }
        encode(picture.crop_imm(x, y, width, height))
    }

    fn rotate90(image: Vec<u8>) -> Result<Vec<u8>, Error> {
        encode(decode(&image)?.rotate90())
    }

    fn grayscale(image: Vec<u8>) -> Result<Vec<u8>, Error> {
        encode(decode(&image)?.grayscale())
    }

    fn blur(image: Vec<u8>, sigma: f32) -> Result<Vec<u8>, Error> {
        if !(sigma > 0.0 && sigma.is_finite()) {
            return Err(Error::Sigma(sigma));
        }
        encode(decode(&image)?.blur(sigma))
    }
}

fn is_within(bounds: &Bounds) -> bool {
    let fits = |start: u32, length: u32, end: u32| {
        length > 0 && start.checked_add(length).is_some_and(|stop| stop <= end)
    };
    fits(bounds.x, bounds.width, bounds.image_width)
        && fits(bounds.y, bounds.height, bounds.image_height)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, Error> {
    image::load_from_memory(bytes).map_err(|error| Error::Decode(error.to_string()))
}

fn encode(picture: DynamicImage) -> Result<Vec<u8>, Error> {
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, ImageFormat::Png)
        .map_err(|error| Error::Encode(error.to_string()))?;
    Ok(file.into_inner())
}

export!(Image);
